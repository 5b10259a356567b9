-- The process that sends webhooks: a background worker of the library brainsait_dispatcher.

CREATE FUNCTION start_webhook_dispatcher() RETURNS boolean
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'brainsait_start_webhook_dispatcher';
COMMENT ON FUNCTION start_webhook_dispatcher() IS
    'Starts the background worker that sends this database''s webhooks, until stop_webhook_dispatcher() or the server''s end; false where it runs already. 58P01 where the library brainsait_dispatcher is not installed, 53400 where max_worker_processes leaves no room, 25006 on a standby, 55000 where it did not come up. For operators.';

CREATE FUNCTION stop_webhook_dispatcher() RETURNS boolean
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'brainsait_stop_webhook_dispatcher';
COMMENT ON FUNCTION stop_webhook_dispatcher() IS
    'Ends the background worker that sends this database''s webhooks and returns when it has gone; false where there is none. What it was sending is sent again when the leases end. One that starts with the server comes back with the server''s next start. For operators.';

REVOKE ALL ON FUNCTION start_webhook_dispatcher(), stop_webhook_dispatcher() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION start_webhook_dispatcher(), stop_webhook_dispatcher() TO brainsait_operator;

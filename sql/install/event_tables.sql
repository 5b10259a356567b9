-- Analytics events, integrations and webhooks. The two append-heavy tables are partitioned by month.

CREATE FUNCTION create_event_tables() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    IF to_regclass('@extschema@.analytics_events') IS NULL THEN
        CREATE TABLE @extschema@.analytics_events (
            id uuid DEFAULT gen_random_uuid(),
            tenant_id uuid NOT NULL REFERENCES @extschema@.tenants (id) ON DELETE CASCADE,
            event_type varchar(100) NOT NULL,
            user_id uuid,
            session_id varchar(255),
            properties jsonb DEFAULT '{}',
            "timestamp" timestamptz DEFAULT now(),
            PRIMARY KEY (id, "timestamp"),
            CONSTRAINT analytics_events_user_id_fkey FOREIGN KEY (tenant_id, user_id)
                REFERENCES @extschema@.users (tenant_id, id) ON DELETE SET NULL (user_id),
            CONSTRAINT analytics_events_type_not_empty CHECK (event_type <> '')
        ) PARTITION BY RANGE ("timestamp");
        CREATE INDEX idx_analytics_tenant_timestamp ON @extschema@.analytics_events (tenant_id, "timestamp");
        CREATE INDEX idx_analytics_event_type ON @extschema@.analytics_events (event_type);
        CREATE INDEX idx_analytics_user_id ON @extschema@.analytics_events (user_id);
        CREATE TABLE @extschema@.analytics_events_default PARTITION OF @extschema@.analytics_events DEFAULT;
        COMMENT ON TABLE @extschema@.analytics_events_default IS 'Rows of analytics_events of months without a partition.';
        COMMENT ON TABLE @extschema@.analytics_events IS 'What visitors did, partitioned by month (UTC).';
    END IF;

    IF to_regclass('@extschema@.integrations') IS NULL THEN
        CREATE TABLE @extschema@.integrations (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            tenant_id uuid NOT NULL REFERENCES @extschema@.tenants (id) ON DELETE CASCADE,
            name varchar(100) NOT NULL,
            type varchar(50) NOT NULL,
            status varchar(50) DEFAULT 'active',
            config jsonb DEFAULT '{}',
            credentials jsonb DEFAULT '{}',
            last_sync timestamptz,
            created_at timestamptz DEFAULT now(),
            updated_at timestamptz DEFAULT now(),
            CONSTRAINT idx_integrations_tenant_id UNIQUE (tenant_id, type),
            CONSTRAINT integrations_status_not_empty CHECK (status <> '')
        );
        CREATE INDEX idx_integrations_type ON @extschema@.integrations (type);
    END IF;

    IF to_regclass('@extschema@.webhooks') IS NULL THEN
        CREATE TABLE @extschema@.webhooks (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            tenant_id uuid NOT NULL REFERENCES @extschema@.tenants (id) ON DELETE CASCADE,
            url varchar(500) NOT NULL,
            events text[] NOT NULL,
            secret varchar(255) NOT NULL,
            status varchar(50) DEFAULT 'active',
            description text,
            created_at timestamptz DEFAULT now(),
            updated_at timestamptz DEFAULT now(),
            CONSTRAINT idx_webhooks_tenant_id UNIQUE (tenant_id, id),
            CONSTRAINT webhooks_status_not_empty CHECK (status <> '')
        );
        CREATE INDEX idx_webhooks_status ON @extschema@.webhooks (status);
        COMMENT ON TABLE @extschema@.webhooks IS 'Endpoints that a tenant wants events sent to. The application role writes secret and cannot read it back.';
    END IF;

    IF to_regclass('@extschema@.webhook_deliveries') IS NULL THEN
        CREATE TABLE @extschema@.webhook_deliveries (
            id uuid DEFAULT gen_random_uuid(),
            webhook_id uuid NOT NULL,
            event_id uuid NOT NULL,
            event_type varchar(100) NOT NULL,
            payload jsonb NOT NULL,
            response_status integer,
            response_body text,
            response_time integer,
            attempt_count integer DEFAULT 1,
            delivered_at timestamptz,
            created_at timestamptz DEFAULT now(),
            tenant_id uuid NOT NULL,
            PRIMARY KEY (id, created_at),
            CONSTRAINT webhook_deliveries_webhook_id_fkey FOREIGN KEY (tenant_id, webhook_id)
                REFERENCES @extschema@.webhooks (tenant_id, id) ON DELETE CASCADE,
            CONSTRAINT webhook_deliveries_response_time_not_negative CHECK (response_time >= 0),
            CONSTRAINT webhook_deliveries_attempt_count_not_negative CHECK (attempt_count >= 0)
        ) PARTITION BY RANGE (created_at);
        CREATE INDEX idx_webhook_deliveries_webhook_id ON @extschema@.webhook_deliveries (webhook_id);
        CREATE INDEX idx_webhook_deliveries_event_type ON @extschema@.webhook_deliveries (event_type);
        CREATE INDEX idx_webhook_deliveries_created_at ON @extschema@.webhook_deliveries (created_at);
        CREATE TABLE @extschema@.webhook_deliveries_default PARTITION OF @extschema@.webhook_deliveries DEFAULT;
        COMMENT ON TABLE @extschema@.webhook_deliveries_default IS 'Rows of webhook_deliveries of months without a partition.';
        COMMENT ON TABLE @extschema@.webhook_deliveries IS 'The outbox of webhooks, partitioned by month (UTC).';
    END IF;
END
$body$;
COMMENT ON FUNCTION create_event_tables() IS 'Internal to create_store(): makes the missing ones of analytics_events, integrations, webhooks, webhook_deliveries.';
REVOKE ALL ON FUNCTION create_event_tables() FROM PUBLIC;

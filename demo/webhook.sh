# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# Part of demo/run: an order's webhook on its way from the outbox to a receiver on this machine. Everything is the real
# thing: the key file, the dispatcher, HTTP; but for an address that only a test may send to.

heading "An order's webhook, signed and delivered" "One of REEM's endpoints wants order.*. The dispatcher posts to it; it verifies with Python's hmac."

receiver_pid='' receiver_folder=''
stop_receiver() {
    [[ -z $receiver_pid ]] || kill "$receiver_pid" 2>/dev/null || true
    [[ -z $receiver_folder ]] || rm -rf "$receiver_folder"
    receiver_pid='' receiver_folder=''
}
trap stop_receiver EXIT

# Sets receiver_pid and receiver_port of an endpoint that listens on loopback; its log is receiver_folder/log.
start_receiver() {
    receiver_folder=$(mktemp -d)
    exec {receiver}< <(exec python3 ../test/clients/webhook_receiver.py "$receiver_folder/log" "$1" </dev/null)
    receiver_pid=$!
    if ! read -r -t 30 -u "$receiver" receiver_port; then
        echo 'the receiver of webhooks does not listen' >&2
        exit 1
    fi
}

# What secrets are encrypted by, and leave to send to this machine.
configure_webhooks() {
    local keys
    keys=$(administrator -c 'SHOW data_directory')/credential_keys
    (umask 077 && echo "1 $(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')" >"$keys")
    administrator -c "ALTER DATABASE \"$PGDATABASE\" SET brainsait.credential_key_file = '$keys'" -c "LOAD 'brainsait_dispatcher'" \
        -c 'ALTER SYSTEM SET brainsait_dispatcher.allow_local = on' -c 'SELECT pg_reload_conf()' >/dev/null
}

deliver_webhook() {
    local secret
    secret=whsec_$(head -c 32 /dev/urandom | base64 -w 0)
    configure_webhooks
    start_receiver "$secret"
    operator -c 'SELECT start_webhook_dispatcher()' >/dev/null
    in_shop views/webhook.sql reem -v secret="$secret" -v url="http://127.0.0.1:$receiver_port/ok" -v log="$receiver_folder/log"
    operator -c 'SELECT stop_webhook_dispatcher()' >/dev/null
    stop_receiver
}

loaded=$(administrator -c "SELECT demo.attempt('LOAD ''brainsait_dispatcher''')")
case $loaded in
    58P01*) printf '  %s\n' 'Nothing is sent: the dispatcher was not built, which takes the headers of libcurl 7.85 or later.' ;;
    [0-9A-Z][0-9A-Z][0-9A-Z][0-9A-Z][0-9A-Z]' '*) echo "the dispatcher cannot be loaded: $loaded" >&2 && exit 1 ;;
    *) deliver_webhook ;;
esac

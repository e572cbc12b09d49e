#!/bin/sh
# Makes the cluster, the user and the database that the variables name, and runs the scripts of the folder, once.
set -eu

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
: "${POSTGRES_PASSWORD:?a password is needed}"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    secret=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" > "$secret"
    initdb --username="$user" --pwfile="$secret" --auth-host=scram-sha-256 --auth-local=trust --no-instructions
    rm "$secret"
    printf "listen_addresses = '*'\n" >> "$PGDATA/postgresql.conf"
    printf 'host all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
    # Nobody but this script reaches the server yet: a check of readiness must not take it for the one that stays.
    pg_ctl start --wait --options='-c listen_addresses= -c unix_socket_directories=/tmp'
    export PGHOST=/tmp
    [ "$database" = postgres ] || createdb --username="$user" "$database"
    for script in /docker-entrypoint-initdb.d/*.sql; do
        [ ! -f "$script" ] || psql --username="$user" --dbname="$database" --set=ON_ERROR_STOP=1 --file="$script"
    done
    unset PGHOST
    pg_ctl stop --wait --mode=fast
fi
exec "$@"

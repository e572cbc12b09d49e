#!/bin/sh
# Gives the password to root and makes the database, as the variables say, before the server takes its first connection.
set -eu

: "${MARIADB_ROOT_PASSWORD:?a password is needed}"
first=/run/mysqld/first.sql
{
    printf "create or replace user root@'%%' identified by '%s';\n" "$MARIADB_ROOT_PASSWORD"
    printf "grant all on *.* to root@'%%' with grant option;\n"
    [ -z "${MARIADB_DATABASE:-}" ] || printf 'create database if not exists `%s`;\n' "$MARIADB_DATABASE"
} > "$first"
exec "$@" --init-file="$first"

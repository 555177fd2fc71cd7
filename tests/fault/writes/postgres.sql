-- PostgreSQL: one statement a line. What is below "setup" is made first; what is below "writes" is done in a
-- step and never in a check; what is below "never" is refused (or means nothing) in both.
-- setup
CREATE TABLE orders (id bigserial PRIMARY KEY, state text, amount numeric(12,2))
INSERT INTO orders (state, amount) SELECT 'paid', n FROM generate_series(1, 5) n
CREATE TABLE orders_scratch (n int)
CREATE MATERIALIZED VIEW paid AS SELECT * FROM orders
CREATE FUNCTION writes_behind() RETURNS int LANGUAGE sql AS $$ INSERT INTO orders (state) VALUES ('x'); SELECT 1 $$
CREATE FUNCTION writes_stable() RETURNS int LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$ BEGIN PERFORM pg_reload_conf(); RETURN 1; END $$
CREATE FUNCTION ends_sessions() RETURNS bool LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT pg_terminate_backend(0) $$
CREATE PROCEDURE writes_too() LANGUAGE sql AS $$ INSERT INTO orders (state) VALUES ('x') $$
CREATE ROLE reader LOGIN
GRANT pg_read_all_data, pg_monitor TO reader
-- writes
INSERT INTO orders (state) VALUES ('x')
UPDATE orders SET state = 'x' WHERE id = 1
DELETE FROM orders WHERE id = -1
WITH d AS (DELETE FROM orders WHERE id = -1 RETURNING 1) SELECT * FROM d
WITH i AS (INSERT INTO orders (id, state) VALUES (1000, 'x') RETURNING 1) TABLE i
EXPLAIN ANALYZE DELETE FROM orders WHERE id = -1
SELECT * INTO copied FROM orders
CREATE TABLE made (n int)
CREATE TEMP TABLE made_too (n int)
DROP TABLE IF EXISTS nothing
TRUNCATE orders_scratch
ALTER TABLE orders ADD COLUMN extra int
SELECT nextval('orders_id_seq')
SELECT setval('orders_id_seq', 5000)
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'
SELECT pg_catalog . pg_terminate_backend /* */ (0)
SELECT "pg_terminate_backend"(0)
SELECT U&"\0070g_terminate_backend"(0)
SELECT pg_cancel_backend(0)
SELECT pg_reload_conf()
SELECT pg_rotate_logfile()
SELECT pg_advisory_lock(1)
SELECT pg_notify('channel', 'x')
SELECT pg_switch_wal()
SELECT pg_stat_reset()
SELECT lo_create(0)
SELECT lo_import('/etc/hostname')
SELECT set_config('default_transaction_read_only', 'off', false)
SELECT pg_logical_emit_message(false, 'x', 'y')
SELECT writes_behind()
SELECT writes_stable()
SELECT ends_sessions()
COPY (SELECT 1) TO PROGRAM 'touch PROOF'
DO $$ BEGIN PERFORM pg_reload_conf(); END $$
CALL writes_too()
ANALYZE orders
VACUUM orders
REINDEX TABLE orders
CHECKPOINT
NOTIFY channel
LISTEN channel
LOCK TABLE orders
SET default_transaction_read_only = off
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
RESET ALL
ALTER SYSTEM SET log_min_messages = 'error'
SELECT * FROM orders FOR UPDATE
REFRESH MATERIALIZED VIEW paid
GRANT SELECT ON orders TO reader
COMMENT ON TABLE orders IS 'x'
-- never
SELECT pg_create_restore_point('x')
SELECT lo_export(lo_create(0), '{dir}/runbook-never')
SELECT query_to_xml('SELECT pg_reload_conf()', true, true, '')
COPY orders TO '{dir}/runbook-never'
SELECT 1; DELETE FROM orders
COMMIT

-- MariaDB: one statement a line. What is below "setup" is made first; what is below "writes" is done in a
-- step and never in a check; what is below "never" is refused (or means nothing) in both.
-- setup
CREATE TABLE orders (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, state VARCHAR(200), amount DECIMAL(12,2)) ENGINE=InnoDB
INSERT INTO orders (state, amount) VALUES ('paid', 1), ('paid', 2), ('paid', 3), ('paid', 4), ('paid', 5)
CREATE TABLE scratch (n INT) ENGINE=Aria
CREATE TABLE scratch_text (t TEXT)
CREATE SEQUENCE counter
CREATE FUNCTION writes_behind() RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO scratch VALUES (1); RETURN 1; END
CREATE FUNCTION count (n INT) RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO scratch VALUES (2); RETURN 1; END
CREATE PROCEDURE writes_too() INSERT INTO scratch VALUES (3)
CREATE USER reader@localhost
GRANT SELECT, PROCESS ON *.* TO reader@localhost
-- writes
INSERT INTO orders (state) VALUES ('x')
UPDATE orders SET state = 'x' WHERE id = 1
DELETE FROM orders WHERE id = 1000
REPLACE INTO orders (id, state) VALUES (1000, 'x')
CREATE TABLE made (n INT)
CREATE TEMPORARY TABLE made_too (n INT)
ALTER TABLE orders ADD COLUMN extra INT
DROP TABLE made
TRUNCATE scratch
SELECT * FROM orders INTO OUTFILE '{dir}/runbook-out'
SELECT 'x' INTO DUMPFILE '{dir}/runbook-dump'
SELECT id FROM orders LIMIT 1 INTO @x
SELECT 'x' /*! INTO OUTFILE '{dir}/runbook-bang' */
SELECT 'x' /*M! INTO OUTFILE '{dir}/runbook-mbang' */
SELECT 'x' /*!50000 INTO*/ /* */ OUTFILE '{dir}/runbook-half'
SELECT GET_LOCK('x', 0)
SELECT RELEASE_ALL_LOCKS()
SELECT writes_behind()
SELECT shop.writes_behind()
SELECT `writes_behind`()
SELECT count (1)
SELECT NEXT VALUE FOR counter
SELECT NEXTVAL(counter)
SELECT SETVAL(counter, 100)
SELECT * FROM orders FOR UPDATE
SELECT * FROM orders LOCK IN SHARE MODE
SELECT BENCHMARK(1, writes_behind())
SET GLOBAL max_connections = 10
SET @@global.general_log = 0
SET STATEMENT max_statement_time = 1 FOR DELETE FROM orders WHERE id = 1000
SET SESSION TRANSACTION READ WRITE
FLUSH STATUS
CALL writes_too()
DO GET_LOCK('x', 0)
ANALYZE TABLE orders
ANALYZE DELETE FROM orders WHERE id = 1000
OPTIMIZE TABLE orders
REPAIR TABLE scratch
LOAD DATA INFILE '/etc/hostname' INTO TABLE scratch_text
HANDLER orders OPEN
CREATE USER somebody
GRANT SELECT ON shop.* TO somebody
RENAME TABLE scratch TO scratch2
EXPLAIN SELECT writes_behind()
RESET QUERY CACHE
CHANGE MASTER TO MASTER_HOST = 'nowhere'
PURGE BINARY LOGS BEFORE NOW()
USE mysql
-- never
SELECT get_lock/**/('x', 0)
SELECT MASTER_POS_WAIT('x', 1, 1)
KILL QUERY 999999
INSTALL SONAME 'nothing'
PREPARE s FROM 'DELETE FROM orders'
EXECUTE IMMEDIATE 'DELETE FROM orders'
BEGIN NOT ATOMIC DELETE FROM orders; END
SELECT 1; DELETE FROM orders
WITH x AS (SELECT 1) DELETE FROM orders

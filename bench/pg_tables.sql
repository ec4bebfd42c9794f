-- SPDX-License-Identifier: Apache-2.0
-- The tables of B1, B3 and B5. Call with psql -v rows=1500000 -v suffix=_1m5 -f pg_tables.sql
-- Values come from hashes of the row number: the same everywhere, no random().
\set ON_ERROR_STOP on
SET synchronous_commit = off;
DROP TABLE IF EXISTS lineitem:suffix, ints:suffix, texts:suffix;
CREATE UNLOGGED TABLE lineitem:suffix (
  l_orderkey int8 NOT NULL, l_partkey int4 NOT NULL, l_suppkey int4 NOT NULL, l_linenumber int4 NOT NULL,
  l_quantity numeric(15,2) NOT NULL, l_extendedprice numeric(15,2) NOT NULL,
  l_discount numeric(15,2) NOT NULL, l_tax numeric(15,2) NOT NULL,
  l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL,
  l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL,
  l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL
);
INSERT INTO lineitem:suffix
SELECT (i + 3) / 4, (h & 2097151) % 200000 + 1, (h >> 21 & 1048575) % 10000 + 1, (i - 1) % 4 + 1,
       (h & 63) % 50 + 1, ((h >> 6 & 16777215) % 10400000 + 90000) / 100.0,
       ((h >> 30 & 15) % 11) / 100.0, ((h >> 34 & 15) % 9) / 100.0,
       substr('ANR', (h >> 38 & 3)::int % 3 + 1, 1), substr('OF', (h >> 40 & 1)::int + 1, 1),
       date '1992-01-02' + (h >> 41 & 2047)::int, date '1992-01-31' + (g & 2047)::int,
       date '1992-01-04' + (g >> 11 & 2047)::int,
       (ARRAY['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'])[(g >> 22 & 3) + 1],
       (ARRAY['AIR', 'FOB', 'MAIL', 'RAIL', 'REG AIR', 'SHIP', 'TRUCK'])[(g >> 24 & 15) % 7 + 1],
       substr('carefully regular deposits are slyly final accounts above the quickly express packages',
              (g >> 28 & 31)::int + 1, (g >> 33 & 31)::int + 10)
FROM generate_series(1, :rows) AS i,
     LATERAL (SELECT hashint8extended(i, 1) & 9223372036854775807 AS h, hashint8extended(i, 2) & 9223372036854775807 AS g) AS x;
CREATE UNLOGGED TABLE ints:suffix AS
SELECT i::int8 AS a, hashint8extended(i, 1) AS b, hashint8extended(i, 2) AS c, hashint8extended(i, 3) AS d,
       hashint8extended(i, 4) AS e, hashint8extended(i, 5) AS f, hashint8extended(i, 6) AS g,
       hashint8extended(i, 7) AS h, hashint8extended(i, 8) AS j, i::int8 % 1000 AS k
FROM generate_series(1, :rows) AS i;
CREATE UNLOGGED TABLE texts:suffix AS
SELECT rpad(md5(i::text), 200, 'abcdefgh') AS a, rpad(md5((i + 1)::text), 200, 'ijklmnop') AS b,
       rpad(md5((i + 2)::text), 200, 'qrstuvwx') AS c, rpad(md5((i + 3)::text), 200, 'yz012345') AS d
FROM generate_series(1, :rows * 4 / 15) AS i;
VACUUM (FREEZE, ANALYZE) lineitem:suffix, ints:suffix, texts:suffix;

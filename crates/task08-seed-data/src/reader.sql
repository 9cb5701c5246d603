-- What the role of `role.sql` may do in this database: read everything, write nothing. It may be run again, and on many databases at once.
-- For `shop_reader` stands the name of the database's own role, `shop_reader_<database>`.

-- Two that change the rights of one table at the same moment: the server refuses one of them. This lock is the database's.
SELECT pg_advisory_xact_lock(8);

-- Rights belong to the database. Before version 15 anybody could make tables in `public`.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO shop_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO shop_reader;

-- "All tables" are those of now; the next migration's need a word in advance.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO shop_reader;

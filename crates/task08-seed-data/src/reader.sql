-- The role that reads everything and writes nothing. It may be run again, and on many databases of one server at once.
-- For `shop_reader` stands the name of the database's own role, `shop_reader_<database>`.

-- Two that change the rights of one table at the same moment: the server refuses one of them. This lock is the database's.
SELECT pg_advisory_xact_lock(8);

-- A role belongs to the server, and outlives its database: it may be there already, or be made at this moment. Nobody can log
-- in with it, so it needs no password. The second line is for an owner who is no superuser.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'shop_reader') THEN
        CREATE ROLE shop_reader NOLOGIN;
        GRANT shop_reader TO CURRENT_USER;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

-- Rights belong to the database. Before version 15 anybody could make tables in `public`.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO shop_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO shop_reader;

-- "All tables" are those of now; the next migration's need a word in advance.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO shop_reader;

-- Makes the role for `reader.sql`. Only an administrator may make roles; only the owner of the database gives rights in it.
-- For `shop_reader` stands the name of the database's own role, `shop_reader_<database>`.

-- A role belongs to the server, and outlives its database: it may be there already, or be made at this moment. Nobody can log
-- in with it, so it needs no password. The owner of the database may take it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'shop_reader') THEN
        CREATE ROLE shop_reader NOLOGIN;
        EXECUTE (SELECT format('GRANT shop_reader TO %I', pg_get_userbyid(datdba)) FROM pg_database WHERE datname = current_database());
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

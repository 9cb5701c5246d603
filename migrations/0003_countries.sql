CREATE TABLE countries (
    code           TEXT        PRIMARY KEY CHECK (code ~ '^[A-Z]{2}$'),
    name           TEXT        NOT NULL CHECK (name <> ''),
    shipping_cents BIGINT      NOT NULL CHECK (shipping_cents >= 0),
    updated_at     TIMESTAMPTZ NOT NULL DEFAULT now()
);

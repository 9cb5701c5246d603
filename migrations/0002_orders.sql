CREATE TABLE orders (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     BIGINT      NOT NULL REFERENCES users (id),
    total_cents BIGINT      NOT NULL CHECK (total_cents >= 0),
    status      TEXT        NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'paid', 'cancelled')),
    placed_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX orders_by_user ON orders (user_id);

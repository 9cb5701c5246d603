-- The ten countries that the shop delivers to. This file is right: seeding again corrects what differs from it, and leaves alone what it does not name.
INSERT INTO countries (code, name, shipping_cents) VALUES
    ('AT', 'Austria', 690),
    ('BR', 'Brazil', 2490),
    ('CH', 'Switzerland', 1190),
    ('CI', 'Côte d''Ivoire', 2190),
    ('DE', 'Germany', 490),
    ('ES', 'Spain', 890),
    ('FR', 'France', 790),
    ('JP', 'Japan', 2290),
    ('TR', 'Türkiye', 1390),
    ('US', 'United States', 1990)
-- Without the WHERE every row would be written again each time, and `updated_at` would say when the file was last run.
ON CONFLICT (code) DO UPDATE
    SET name = EXCLUDED.name, shipping_cents = EXCLUDED.shipping_cents, updated_at = now()
    WHERE (countries.name, countries.shipping_cents) IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.shipping_cents);

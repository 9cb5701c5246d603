ALTER TABLE price ADD CHECK (cents >= 0);

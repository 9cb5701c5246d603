CREATE TABLE price (name text PRIMARY KEY, cents int NOT NULL);

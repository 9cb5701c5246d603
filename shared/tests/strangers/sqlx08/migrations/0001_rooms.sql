CREATE TABLE rooms (name TEXT PRIMARY KEY);

INSERT INTO rooms VALUES ('attic'), ('cellar');

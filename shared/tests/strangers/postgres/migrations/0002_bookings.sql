CREATE TABLE bookings (
    room  TEXT NOT NULL REFERENCES rooms (name),
    night DATE NOT NULL,
    PRIMARY KEY (room, night)
);

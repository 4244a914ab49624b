CREATE TABLE cities (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO cities SELECT id, value FROM attic WHERE version = 5;
INSERT INTO cities (name) SELECT DISTINCT city FROM customers
    WHERE city IS NOT NULL AND city NOT IN (SELECT name FROM cities) ORDER BY city;
ALTER TABLE customers ADD COLUMN city_id INTEGER REFERENCES cities (id);
UPDATE customers SET city_id = (SELECT cities.id FROM cities WHERE cities.name = customers.city);
DELETE FROM attic WHERE version = 5;
ALTER TABLE customers DROP COLUMN city;

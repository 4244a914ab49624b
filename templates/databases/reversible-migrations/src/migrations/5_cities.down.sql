ALTER TABLE customers ADD COLUMN city TEXT;
UPDATE customers SET city = (SELECT cities.name FROM cities WHERE cities.id = customers.city_id);
INSERT INTO attic SELECT 5, id, 'city', name FROM cities;
ALTER TABLE customers DROP COLUMN city_id;
DROP TABLE cities;

ALTER TABLE customers ADD COLUMN phone TEXT;
UPDATE customers SET phone = (SELECT value FROM attic WHERE version = 2 AND attic.id = customers.id);
DELETE FROM attic WHERE version = 2;

INSERT INTO attic SELECT 2, id, 'phone', phone FROM customers WHERE phone IS NOT NULL;
ALTER TABLE customers DROP COLUMN phone;

ALTER TABLE customers ADD COLUMN name TEXT NOT NULL DEFAULT '';
UPDATE customers SET name = CASE first WHEN '' THEN last ELSE first || ' ' || last END;
INSERT INTO attic SELECT 3, id, name, first FROM customers;
ALTER TABLE customers DROP COLUMN first;
ALTER TABLE customers DROP COLUMN last;

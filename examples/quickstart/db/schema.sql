CREATE ROLE orders LOGIN;
CREATE DATABASE orders OWNER orders;
\connect orders orders
CREATE TABLE orders (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0)
);

-- Two articles, and orders of them.
create table stock (id int primary key, left_over int not null);
create table orders (
    id int primary key,
    stock int not null references stock (id),
    amount int not null check (amount > 0)
);
insert into stock values (1, 10), (2, 10); -- the semicolon ; of a comment ends nothing
insert into orders values (1, 1, 5);
select id, left_over as `left` from stock order by id;

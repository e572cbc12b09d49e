insert into orders values (1);

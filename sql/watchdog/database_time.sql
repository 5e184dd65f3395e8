-- What does the database's clock say at this moment?
SELECT clock_timestamp() AS at;

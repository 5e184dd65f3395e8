-- Few of many payments are touched.
CREATE INDEX waiting_place ON waiting (place) INCLUDE (payment_ref);

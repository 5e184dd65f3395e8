-- Few of many deposits are touched.
CREATE INDEX arrived_place ON arrived (place) INCLUDE (provider, account, provider_ref);

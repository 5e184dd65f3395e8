-- Statistics, a table each; replaced by every run, so that nothing but their names lasts.
CREATE SCHEMA stats;

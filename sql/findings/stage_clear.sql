-- Forget the rows of a judgement made earlier in this transaction.
TRUNCATE report_rows;

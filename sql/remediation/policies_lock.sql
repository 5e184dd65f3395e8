-- Of two who change policies at once, one waits; those who only read them do not.
LOCK TABLE recon.policies IN SHARE ROW EXCLUSIVE MODE;

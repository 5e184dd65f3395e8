"""Engine, migrations, named SQL, the contract views and the embedded server."""

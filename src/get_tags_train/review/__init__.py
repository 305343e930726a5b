"""What people decide by: the database's tags, two models, whether to retrain."""

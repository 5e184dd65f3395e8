"""payments_pipeline: what providers say, what the application wrote down and what users were given, kept in agreement.

Importing the package is cheap: nothing here imports Dagster, a provider client or pandas.
"""

__version__ = "0.1.0"

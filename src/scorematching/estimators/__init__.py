"""scikit-learn faces: NumPy arrays and data frames in and out, strings welcome."""

from scorematching.estimators.exponential_family import ExponentialFamilyDensity

__all__ = ["ExponentialFamilyDensity"]

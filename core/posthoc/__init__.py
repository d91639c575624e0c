"""What is fitted to finished answers, on data held out for it: temperature and conformal sets."""

"""Backbones: networks as ordered stages and a head. One file a family; importing one loads torch."""

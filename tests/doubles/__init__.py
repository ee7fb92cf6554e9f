"""Doubles that several tests share."""

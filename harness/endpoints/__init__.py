"""Models that are asked over HTTP: references, protocol, retries, journal, spending limit."""

//! One command: a demo market, a committee of oracle nodes and an aggregator on this machine

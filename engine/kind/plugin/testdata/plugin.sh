#!/bin/sh
# Does what the test wrote beside it: a program that was just written may
# still be held open by another test that forks.
. ./script

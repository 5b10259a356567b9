\echo Use "CREATE EXTENSION brainsait" to load this file. \quit

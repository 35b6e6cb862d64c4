package diag

// Rules are the rules that problems belong to, by area; the table is never changed.
var Rules = []Rule{}

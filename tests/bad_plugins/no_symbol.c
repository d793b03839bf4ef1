/* Exports something, but not the entry. */
int llv_not_an_entry;

/* Names, in capitals; each list ends with NULL. */
#ifndef RB_BINDINGS_MARIADB_FUNCTIONS_H
#define RB_BINDINGS_MARIADB_FUNCTIONS_H

/* What a reading statement may call. */
extern const char *const rb_my_pure[];
/* What stands before "(" without being called. */
extern const char *const rb_my_keywords[];

#endif

"""PostgreSQL itself: connections, migrations, and the embedded one."""

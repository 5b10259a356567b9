# Builds and installs the extension with PGXS. `make demo`, `make check` and `make bench` set the machine up first.
EXTENSION = brainsait
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" brainsait.control)
PG_CONFIG ?= pg_config

# The install script is these files, one after the other; later files use what earlier ones make.
INSTALL_SQL = $(addprefix sql/install/, \
	prologue.sql roles.sql members.sql \
	state_types.sql funnel_aggregates.sql retention_aggregates.sql \
	customer_aggregates.sql value_aggregates.sql sketches.sql \
	tenant_context.sql tenant_token.sql order_number.sql revenue_rollup.sql \
	revenue_live.sql row_triggers.sql webhooks.sql core_tables.sql event_tables.sql isolation.sql hardening.sql partitions.sql \
	reports.sql reports_customers.sql reports_visitors.sql product_search.sql \
	arriving_rows.sql monitoring.sql retention.sql retention_batches.sql credentials.sql health.sql schedule.sql webhook_dispatcher.sql \
	table_changes.sql store.sql epilogue.sql)

# An upgrade is what stands by hand in sql/upgrade, from the version that it starts at up to this one, and then the
# whole install script, in which what exists is replaced. So only what cannot be replaced is written by hand.
UPGRADE_STEPS := $(shell printf '%s\n' sql/upgrade/$(EXTENSION)--*--*.sql | sort -V)
UPGRADES := $(foreach step,$(notdir $(UPGRADE_STEPS)),$(EXTENSION)--$(word 2,$(subst --, ,$(step)))--$(EXTVERSION).sql)

MODULE_big = brainsait
CORE_OBJS = $(patsubst %.cpp,%.o,$(sort $(wildcard src/core/*.cpp)))
OBJS = $(CORE_OBJS) $(patsubst %.cpp,%.o,$(sort $(wildcard src/pg/*.cpp) $(wildcard src/*.cpp)))

# What sends webhooks is a library of its own, so that the main one links no HTTP client. It is built where the
# headers of libcurl 7.85 or later are.
DISPATCHER_OBJS = $(patsubst %.cpp,%.o,$(sort $(wildcard src/dispatcher/*.cpp))) \
	$(addprefix src/pg/, database_worker.o guard.o key_lock.o query.o relation_changes.o session_key.o store.o) \
	$(addprefix src/core/, claim_shares.o request_queue.o response_text.o retry_after.o webhook_address.o)
HASH := \#
HAS_CURL := $(shell printf '%s\n' '$(HASH)include <curl/curl.h>' '$(HASH)if LIBCURL_VERSION_NUM < 0x075500' '$(HASH)error' '$(HASH)endif' | \
	$(CXX) -E -x c++ - >/dev/null 2>&1 && echo yes)

DATA_built = $(EXTENSION)--$(EXTVERSION).sql $(UPGRADES)

# Defined only where there are tests, since PGXS asks whether they are defined.
REGRESS := $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS = --encoding=UTF8
ISOLATION := $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --encoding=UTF8 --inputdir=test/isolation --outputdir=test/isolation
PROVE_TESTS := $(sort $(wildcard test/tap/*.pl))
TAP_TESTS := $(if $(PROVE_TESTS),1)

# What makes an object depend on the headers it includes (PGXS on Debian tracks none).
DEPEND_FLAGS = -MMD -MP
WARN_FLAGS = -Wall -Wextra -Wshadow=local -Wno-unused-parameter -Werror
CXX_STANDARD = -std=c++20

override with_llvm := no
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server)
PG_CXXFLAGS = $(CXX_STANDARD) $(WARN_FLAGS) $(DEPEND_FLAGS) -Wno-register
SHLIB_LINK += -lstdc++ -lcrypto -Wl,--version-script=src/brainsait.map
EXTRA_CLEAN = $(OBJS:.o=.d) $(DISPATCHER_OBJS) $(DISPATCHER_OBJS:.o=.d) brainsait_dispatcher.so $(EXTENSION)--*.sql build results regression.diffs regression.out \
	test/isolation/results test/isolation/output_iso tmp_check

ifneq ($(filter check demo bench,$(MAKECMDGOALS)),)
# Set-up, build and run from nothing; all call this Makefile again, once PostgreSQL is there.
.PHONY: check demo bench
check demo bench:
	@PG_CONFIG='$(PG_CONFIG)' scripts/$@
else
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
all install installcheck:
	@echo 'No server headers found by PG_CONFIG=$(PG_CONFIG). Run "make check" or "make demo", which install them,'; \
	echo 'or name another installation: make PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config'; exit 1
else
include $(PGXS)

# The core never sees a PostgreSQL header, here as in CMakeLists.txt.
$(CORE_OBJS): %.o: %.cpp
	$(CXX) $(CXXFLAGS) $(CXXFLAGS_SL) $(CXX_STANDARD) $(WARN_FLAGS) $(DEPEND_FLAGS) -Isrc -c -o $@ $<

$(EXTENSION)--$(EXTVERSION).sql: $(INSTALL_SQL) brainsait.control Makefile
	cat $(INSTALL_SQL) > $@

$(UPGRADES): $(EXTENSION)--%--$(EXTVERSION).sql: $(UPGRADE_STEPS) $(INSTALL_SQL) brainsait.control Makefile
	cat $$(printf '%s\n' $(UPGRADE_STEPS) | sed -n '\|/$(EXTENSION)--$*--|,$$p') > $@
	cat $(filter-out sql/install/prologue.sql,$(INSTALL_SQL)) | \
	    sed -E 's/CREATE (FUNCTION|PROCEDURE|AGGREGATE) /CREATE OR REPLACE \1 /g' >> $@

$(shlib): src/brainsait.map Makefile

DISPATCHER = brainsait_dispatcher$(DLSUFFIX)
ifeq ($(HAS_CURL),yes)
all: $(DISPATCHER)
install: install-dispatcher
else
all: say-no-dispatcher
endif

$(DISPATCHER): $(DISPATCHER_OBJS) src/dispatcher/dispatcher.map Makefile
	$(CC) $(CFLAGS) $(CFLAGS_SL) -shared -o $@ $(DISPATCHER_OBJS) $(LDFLAGS) $(LDFLAGS_SL) \
		-lcurl -lstdc++ -Wl,--version-script=src/dispatcher/dispatcher.map

.PHONY: install-dispatcher uninstall-dispatcher say-no-dispatcher
install-dispatcher: $(DISPATCHER) installdirs
	$(INSTALL_SHLIB) $(DISPATCHER) '$(DESTDIR)$(pkglibdir)/'
uninstall: uninstall-dispatcher
uninstall-dispatcher:
	rm -f '$(DESTDIR)$(pkglibdir)/$(DISPATCHER)'
say-no-dispatcher:
	@echo 'Built without the dispatcher of webhooks, which needs the headers of libcurl 7.85 or later' \
		'(Debian: libcurl4-openssl-dev).'

-include $(OBJS:.o=.d) $(DISPATCHER_OBJS:.o=.d)
endif
endif

-- Tenants, their customers, their catalogue, their orders and payments.
--
-- These definitions use nothing but PostgreSQL's own functions: what comes from the extension (defaults,
-- triggers, policies) is attached afterwards by attach_store(), so DROP EXTENSION ... CASCADE leaves
-- whole tables behind. One physical index serves each purpose, and every documented name exists.
--
-- The order of indexes matters. In a table that is empty or never analysed every index scan is thought to
-- find one row; the planner then takes the newest index that fits, and cached plans, like those of
-- foreign-key checks, keep it while the table grows. So indexes that lead to all of a tenant's rows are
-- made first, and those that lead to one row, by which references are checked, last.
--
-- Products, orders, order_items and payments have no CHECKs but a trigger (attach_row_triggers()), which refuses what
-- CHECKs would at a fraction of their cost: PostgreSQL reads a CHECK's text anew in every statement.

CREATE FUNCTION create_core_tables() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    IF to_regclass('@extschema@.tenants') IS NULL THEN
        CREATE TABLE @extschema@.tenants (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            name varchar(255) NOT NULL,
            slug varchar(100) NOT NULL CONSTRAINT idx_tenants_slug UNIQUE,
            domain varchar(255),
            status varchar(50) DEFAULT 'active',
            plan varchar(50) DEFAULT 'starter',
            settings jsonb DEFAULT '{}',
            created_at timestamptz DEFAULT now(),
            updated_at timestamptz DEFAULT now(),
            CONSTRAINT tenants_slug_shape CHECK (slug ~ '^[a-z0-9]+([-_][a-z0-9]+)*$'),
            CONSTRAINT tenants_status_not_empty CHECK (status <> '')
        );
        CREATE INDEX idx_tenants_status ON @extschema@.tenants (status);
        CREATE INDEX idx_tenants_plan ON @extschema@.tenants (plan);
        COMMENT ON TABLE @extschema@.tenants IS 'One row per shop. settings: timezone, order_number_format, order_number_reset.';
    END IF;

    IF to_regclass('@extschema@.users') IS NULL THEN
        CREATE TABLE @extschema@.users (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            tenant_id uuid NOT NULL REFERENCES @extschema@.tenants (id) ON DELETE CASCADE,
            email varchar(255) NOT NULL,
            password_hash varchar(255),
            name varchar(255),
            role varchar(50) DEFAULT 'user',
            status varchar(50) DEFAULT 'active',
            email_verified boolean DEFAULT false,
            last_login timestamptz,
            metadata jsonb DEFAULT '{}',
            created_at timestamptz DEFAULT now(),
            updated_at timestamptz DEFAULT now(),
            UNIQUE (tenant_id, email),
            CONSTRAINT idx_users_tenant_id UNIQUE (tenant_id, id),
            CONSTRAINT users_email_shape CHECK (email ~ '^[^@\s]+@[^@\s]+$'),
            CONSTRAINT users_status_not_empty CHECK (status <> '')
        );
        CREATE INDEX idx_users_email ON @extschema@.users (email);
        CREATE INDEX idx_users_status ON @extschema@.users (status);
        CREATE INDEX idx_users_role ON @extschema@.users (role);
        COMMENT ON TABLE @extschema@.users IS 'A tenant''s customers and staff.';
    END IF;

    IF to_regclass('@extschema@.products') IS NULL THEN
        CREATE TABLE @extschema@.products (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            tenant_id uuid NOT NULL REFERENCES @extschema@.tenants (id) ON DELETE CASCADE,
            name jsonb NOT NULL,
            description jsonb,
            price decimal(10, 2) NOT NULL,
            currency varchar(3) DEFAULT 'USD',
            category varchar(100),
            tags text[],
            images text[],
            status varchar(50) DEFAULT 'active',
            inventory_count integer DEFAULT 0,
            metadata jsonb DEFAULT '{}',
            created_at timestamptz DEFAULT now(),
            updated_at timestamptz DEFAULT now()
        ) WITH (fillfactor = 90); -- stock changes with every order: the new version stays beside the old, and off the indexes
        CREATE INDEX idx_products_category ON @extschema@.products (category);
        -- The order of product_page(): a tenant's products of a status by time.
        CREATE INDEX idx_products_status ON @extschema@.products (status, tenant_id, created_at, id);
        CREATE INDEX idx_products_price ON @extschema@.products (price);
        CREATE INDEX idx_products_tags ON @extschema@.products USING gin (tags);
        CREATE INDEX idx_products_name ON @extschema@.products USING gin (name);
        -- The document defines this one as a second copy of idx_products_name; here it is the full-text index.
        CREATE INDEX idx_products_name_gin ON @extschema@.products USING gin ((
            to_tsvector('pg_catalog.english', coalesce(name ->> 'en', '') || ' ' || coalesce(description ->> 'en', ''))
            || to_tsvector('pg_catalog.arabic', coalesce(name ->> 'ar', '') || ' ' || coalesce(description ->> 'ar', ''))));
        CREATE INDEX idx_products_tenant_category_status ON @extschema@.products (tenant_id, category, status);
        ALTER TABLE @extschema@.products ADD CONSTRAINT idx_products_tenant_id UNIQUE (tenant_id, id);
        COMMENT ON TABLE @extschema@.products IS 'The catalogue. name and description hold one text per language: {"en": ..., "ar": ...}.';
    END IF;

    IF to_regclass('@extschema@.orders') IS NULL THEN
        CREATE TABLE @extschema@.orders (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            tenant_id uuid NOT NULL REFERENCES @extschema@.tenants (id) ON DELETE CASCADE,
            user_id uuid,
            number varchar(50) NOT NULL CONSTRAINT idx_orders_number UNIQUE,
            status varchar(50) DEFAULT 'pending',
            total decimal(10, 2) NOT NULL,
            currency varchar(3) DEFAULT 'USD',
            customer_email varchar(255),
            customer_name varchar(255),
            billing_address jsonb,
            shipping_address jsonb,
            payment_intent_id varchar(255),
            payment_status varchar(50) DEFAULT 'pending',
            metadata jsonb DEFAULT '{}',
            created_at timestamptz DEFAULT now(),
            updated_at timestamptz DEFAULT now(),
            CONSTRAINT orders_user_id_fkey FOREIGN KEY (tenant_id, user_id)
                REFERENCES @extschema@.users (tenant_id, id) ON DELETE SET NULL (user_id)
        );
        CREATE INDEX idx_orders_status ON @extschema@.orders (status);
        CREATE INDEX idx_orders_payment_status ON @extschema@.orders (payment_status);
        CREATE INDEX idx_orders_created_at ON @extschema@.orders (created_at);
        CREATE INDEX idx_orders_tenant_status_created ON @extschema@.orders (tenant_id, status, created_at);
        -- status IN (...), spelled as PostgreSQL keeps it: that and no other text survives dump and restore.
        CREATE INDEX idx_orders_active ON @extschema@.orders (tenant_id, created_at)
            WHERE status::text = ANY (ARRAY['pending', 'processing', 'shipped']);
        CREATE INDEX idx_orders_metadata_gin ON @extschema@.orders USING gin (metadata);
        ALTER TABLE @extschema@.orders ADD CONSTRAINT idx_orders_tenant_id UNIQUE (tenant_id, id);
        CREATE INDEX idx_orders_user_id ON @extschema@.orders (user_id);
        COMMENT ON TABLE @extschema@.orders IS 'Orders. number is filled by a trigger where it is left out.';
    END IF;

    IF to_regclass('@extschema@.order_items') IS NULL THEN
        CREATE TABLE @extschema@.order_items (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            order_id uuid NOT NULL,
            product_id uuid,
            product_name varchar(255) NOT NULL,
            quantity integer NOT NULL DEFAULT 1,
            price decimal(10, 2) NOT NULL,
            total decimal(10, 2) NOT NULL,
            metadata jsonb DEFAULT '{}',
            tenant_id uuid NOT NULL,
            CONSTRAINT order_items_order_id_fkey FOREIGN KEY (tenant_id, order_id)
                REFERENCES @extschema@.orders (tenant_id, id) ON DELETE CASCADE,
            CONSTRAINT order_items_product_id_fkey FOREIGN KEY (tenant_id, product_id)
                REFERENCES @extschema@.products (tenant_id, id) ON DELETE SET NULL (product_id)
        );
        CREATE INDEX idx_order_items_order_id ON @extschema@.order_items (order_id);
        CREATE INDEX idx_order_items_product_id ON @extschema@.order_items (product_id);
        COMMENT ON TABLE @extschema@.order_items IS 'What an order holds. tenant_id is filled where it is left out.';
    END IF;

    IF to_regclass('@extschema@.payments') IS NULL THEN
        CREATE TABLE @extschema@.payments (
            id uuid DEFAULT gen_random_uuid(),
            tenant_id uuid NOT NULL REFERENCES @extschema@.tenants (id) ON DELETE CASCADE,
            order_id uuid,
            payment_intent_id varchar(255) UNIQUE,
            amount decimal(10, 2) NOT NULL,
            currency varchar(3) DEFAULT 'USD',
            status varchar(50) DEFAULT 'pending',
            payment_method varchar(50),
            provider varchar(50),
            provider_fee decimal(10, 2),
            net_amount decimal(10, 2),
            refunded_amount decimal(10, 2) DEFAULT 0,
            metadata jsonb DEFAULT '{}',
            processed_at timestamptz,
            created_at timestamptz DEFAULT now(),
            updated_at timestamptz DEFAULT now(),
            CONSTRAINT payments_order_id_fkey FOREIGN KEY (tenant_id, order_id)
                REFERENCES @extschema@.orders (tenant_id, id) ON DELETE SET NULL (order_id)
        );
        CREATE INDEX idx_payments_tenant_id ON @extschema@.payments (tenant_id);
        CREATE INDEX idx_payments_status ON @extschema@.payments (status);
        CREATE INDEX idx_payments_provider ON @extschema@.payments (provider);
        CREATE INDEX idx_payments_created_at ON @extschema@.payments (created_at);
        CREATE INDEX idx_payments_tenant_status_created ON @extschema@.payments (tenant_id, status, created_at);
        CREATE INDEX idx_payments_order_id ON @extschema@.payments (order_id);
        ALTER TABLE @extschema@.payments ADD PRIMARY KEY (id);
        COMMENT ON TABLE @extschema@.payments IS 'Payments and their refunds.';
    END IF;
END
$body$;
COMMENT ON FUNCTION create_core_tables() IS 'Internal to create_store(): makes the missing ones of tenants, users, products, orders, order_items, payments.';
REVOKE ALL ON FUNCTION create_core_tables() FROM PUBLIC;

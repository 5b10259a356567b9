-- As the operator: the two shops.
INSERT INTO tenants (name, slug, domain, plan, settings) VALUES
    ('Reem House  بيت الريم', 'reem', 'reem.example.com', 'business',
     '{"timezone": "Asia/Riyadh", "currency": "SAR",
       "order_number_format": "{TENANT}-{YY}-{SEQ:6}-{CHECK}", "order_number_reset": "year"}'),
    ('Cedar & Pine Supply', 'cedar', 'cedar.example.com', 'starter',
     '{"timezone": "UTC", "currency": "USD"}');

-- As the operator: a checksum of everything that one shop has. Needs the psql variable tenant.
SELECT md5(concat_ws(' ',
    (SELECT sum(hashtextextended(t::text, 0)) FROM tenants t WHERE id = :'tenant'),
    (SELECT sum(hashtextextended(t::text, 0)) FROM products t WHERE tenant_id = :'tenant'),
    (SELECT sum(hashtextextended(t::text, 0)) FROM users t WHERE tenant_id = :'tenant'),
    (SELECT sum(hashtextextended(t::text, 0)) FROM orders t WHERE tenant_id = :'tenant'),
    (SELECT sum(hashtextextended(t::text, 0)) FROM order_items t WHERE tenant_id = :'tenant'),
    (SELECT sum(hashtextextended(t::text, 0)) FROM payments t WHERE tenant_id = :'tenant'),
    (SELECT sum(hashtextextended(t::text, 0)) FROM revenue_metrics t WHERE tenant_id = :'tenant')));

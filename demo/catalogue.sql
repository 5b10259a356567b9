-- As the administrator: what the two shops sell, by hand: families, and the variants each comes in.
CREATE TABLE demo.family (shop text, name_en text, name_ar text, category text, tags text[], price numeric, variants text);
INSERT INTO demo.family VALUES
    ('reem', 'Ajwa Dates', 'تمر عجوة', 'dates', '{medina,gift}', 45, 'weight'),
    ('reem', 'Sukkari Dates', 'تمر سكري', 'dates', '{qassim}', 32, 'weight'),
    ('reem', 'Khalas Dates', 'تمر خلاص', 'dates', '{alahsa}', 28, 'weight'),
    ('reem', 'Medjool Dates', 'تمر مجدول', 'dates', '{gift}', 52, 'weight'),
    ('reem', 'Date Molasses', 'دبس تمر', 'pantry', '{vegan}', 24, 'volume'),
    ('reem', 'Sidr Honey', 'عسل سدر', 'pantry', '{gift,organic}', 180, 'weight'),
    ('reem', 'Green Cardamom', 'هيل أخضر', 'pantry', '{spice}', 75, 'weight'),
    ('reem', 'Saffron Threads', 'زعفران خيوط', 'pantry', '{spice,gift}', 38, 'pinch'),
    ('reem', 'Saudi Coffee with Cardamom', 'قهوة سعودية بالهيل', 'coffee', '{bestseller}', 48, 'weight'),
    ('reem', 'Roasted Harari Coffee', 'بن هرري محمص', 'coffee', '{single-origin}', 62, 'weight'),
    ('reem', 'Karak Tea', 'شاي كرك', 'coffee', '{tea}', 22, 'weight'),
    ('reem', 'Dallah Coffee Pot', 'دلة قهوة', 'home', '{majlis,gift}', 160, 'metal'),
    ('reem', 'Finjan Cup Set', 'طقم فناجين', 'home', '{majlis}', 85, 'colour'),
    ('reem', 'Serving Tray', 'صينية تقديم', 'home', '{majlis}', 95, 'metal'),
    ('reem', 'Majlis Cushion', 'مسند مجلس', 'home', '{majlis,wool}', 210, 'colour'),
    ('reem', 'Prayer Rug', 'سجادة صلاة', 'home', '{gift}', 90, 'colour'),
    ('reem', 'Incense Burner', 'مبخرة', 'fragrance', '{gift}', 120, 'metal'),
    ('reem', 'Oud Oil', 'دهن عود', 'fragrance', '{luxury}', 260, 'volume'),
    ('reem', 'Oud Incense Chips', 'بخور عود', 'fragrance', '{luxury,gift}', 140, 'weight'),
    ('reem', 'Amber Musk Perfume', 'عطر مسك وعنبر', 'fragrance', '{bestseller}', 195, 'volume'),
    ('reem', 'Taif Rose Water', 'ماء ورد طائفي', 'fragrance', '{taif}', 35, 'volume'),
    ('reem', 'Olive Oil Soap', 'صابون زيت زيتون', 'fragrance', '{natural}', 18, 'scent'),
    ('reem', 'Embroidered Abaya', 'عباية مطرزة', 'clothing', '{women}', 320, 'size'),
    ('reem', 'Summer Thobe', 'ثوب صيفي', 'clothing', '{men}', 240, 'size'),
    ('reem', 'Shemagh', 'شماغ', 'clothing', '{men}', 110, 'colour'),
    ('reem', 'Leather Sandals', 'نعال جلد', 'clothing', '{men}', 150, 'size'),
    ('cedar', 'Enamel Mug', 'كوب مينا', 'kitchen', '{camp}', 14, 'colour'),
    ('cedar', 'Cast Iron Skillet', 'مقلاة حديد', 'kitchen', '{camp,bestseller}', 42, 'size'),
    ('cedar', 'Steel Water Bottle', 'قارورة ماء فولاذية', 'kitchen', '{travel}', 27, 'colour'),
    ('cedar', 'Ground Coffee', 'قهوة مطحونة', 'pantry', '{bestseller}', 16, 'weight'),
    ('cedar', 'Maple Syrup', 'شراب القيقب', 'pantry', '{organic}', 22, 'volume'),
    ('cedar', 'Trail Mix', 'مكسرات الرحلات', 'pantry', '{vegan}', 11, 'weight'),
    ('cedar', 'Wool Blanket', 'بطانية صوف', 'home', '{gift,wool}', 89, 'colour'),
    ('cedar', 'Beeswax Candle', 'شمعة عسل', 'home', '{gift,natural}', 19, 'scent'),
    ('cedar', 'Cedar Soap', 'صابون أرز', 'home', '{natural}', 8, 'scent'),
    ('cedar', 'Folding Chair', 'كرسي للطي', 'camp', '{outdoor}', 49, 'colour'),
    ('cedar', 'Camp Lantern', 'فانوس تخييم', 'camp', '{outdoor}', 34, 'metal'),
    ('cedar', 'Trail Tent', 'خيمة رحلات', 'camp', '{outdoor}', 229, 'people'),
    ('cedar', 'Sleeping Bag', 'كيس نوم', 'camp', '{outdoor}', 99, 'size'),
    ('cedar', 'Hiking Backpack', 'حقيبة رحلات', 'camp', '{outdoor,travel}', 119, 'colour'),
    ('cedar', 'Firewood Axe', 'فأس حطب', 'tools', '{outdoor}', 64, 'wood'),
    ('cedar', 'Pocket Knife', 'سكين جيب', 'tools', '{gift}', 45, 'wood'),
    ('cedar', 'Field Notebook', 'دفتر ميداني', 'tools', '{paper}', 12, 'colour'),
    ('cedar', 'Merino Socks', 'جوارب ميرينو', 'clothing', '{wool}', 18, 'size'),
    ('cedar', 'Flannel Shirt', 'قميص فلانيل', 'clothing', '{bestseller}', 54, 'size'),
    ('cedar', 'Rain Jacket', 'سترة مطر', 'clothing', '{outdoor}', 129, 'size'),
    ('cedar', 'Insulated Gloves', 'قفازات عازلة', 'clothing', '{outdoor}', 32, 'size'),
    ('cedar', 'Canvas Tote', 'حقيبة قماش', 'clothing', '{cotton}', 24, 'colour');

-- price is a factor on the family's price.
CREATE TABLE demo.variant (kind text, name_en text, name_ar text, price numeric);
INSERT INTO demo.variant VALUES
    ('weight', '250 g', '250 غ', 0.55), ('weight', '500 g', '500 غ', 1), ('weight', '1 kg', '1 كغ', 1.85),
    ('pinch', '1 g', '1 غ', 0.6), ('pinch', '3 g', '3 غ', 1.5), ('pinch', '5 g', '5 غ', 2.3),
    ('volume', '30 ml', '30 مل', 0.7), ('volume', '50 ml', '50 مل', 1), ('volume', '100 ml', '100 مل', 1.75),
    ('metal', 'Gold', 'ذهبي', 1.1), ('metal', 'Silver', 'فضي', 1), ('metal', 'Copper', 'نحاسي', 0.95),
    ('colour', 'Sand', 'رملي', 1), ('colour', 'Navy', 'كحلي', 1), ('colour', 'Green', 'أخضر', 1),
    ('colour', 'Black', 'أسود', 1), ('colour', 'Red', 'أحمر', 1.05),
    ('size', 'S', 'صغير', 0.95), ('size', 'M', 'وسط', 1), ('size', 'L', 'كبير', 1), ('size', 'XL', 'كبير جدا', 1.1),
    ('scent', 'Lavender', 'لافندر', 1), ('scent', 'Rose', 'ورد', 1.1), ('scent', 'Cedar', 'أرز', 1),
    ('wood', 'Oak', 'بلوط', 1), ('wood', 'Walnut', 'جوز', 1.15), ('wood', 'Olive', 'زيتون', 1.2),
    ('people', '2-person', 'لشخصين', 1), ('people', '4-person', 'لأربعة', 1.4);

-- Names of customers; the shop in Riyadh writes them in Arabic.
CREATE TABLE demo.person_names (slug text, given text[], given_native text[], family text[], family_native text[]);
INSERT INTO demo.person_names VALUES (
    'reem',
    '{Noura,Sara,Reem,Lama,Haya,Maha,Abeer,Huda,Dana,Amal,Mohammed,Abdullah,Faisal,Khalid,Saud,Turki,Omar,Fahad,Yousef,Salman}',
    '{نورة,سارة,ريم,لمى,هيا,مها,عبير,هدى,دانة,أمل,محمد,عبدالله,فيصل,خالد,سعود,تركي,عمر,فهد,يوسف,سلمان}',
    '{Alqahtani,Alghamdi,Alharbi,Alotaibi,Alshehri,Aldosari,Alzahrani,Almutairi,Alanazi,Alsubaie,Alrashid,Alomari,Bakr,Alfaraj}',
    '{القحطاني,الغامدي,الحربي,العتيبي,الشهري,الدوسري,الزهراني,المطيري,العنزي,السبيعي,الراشد,العمري,بكر,الفرج}');
INSERT INTO demo.person_names
SELECT 'cedar', given, given, family, family
FROM (VALUES (
    '{Ava,Mia,Grace,Ruth,Elena,Priya,Nadia,June,Claire,Tess,Noah,Liam,Owen,Hugo,Samir,Diego,Kenji,Paul,Ivan,Theo}'::text[],
    '{Miller,Nguyen,Carter,Osei,Rossi,Larsen,Patel,Walker,Kowalski,Garcia,Tanaka,Brooks,Haddad,Meyer,Dubois,Quinn}'::text[]
)) AS names (given, family);

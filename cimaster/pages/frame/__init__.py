"""What all pages share: layout, visitor, cookies, forms, live fragments."""

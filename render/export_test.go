package render

// SealWorkbook is tested with more bytes than a workbook of a form ever has.
var SealWorkbook = sealWorkbook

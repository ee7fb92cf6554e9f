/*
 * For LD_PRELOAD: lets programs have their SAX1 handlers called by Debian 12's libxml2.
 *
 * pidgin-sipe sets a SAX1 handler (startElement, endElement) and writes XML_SAX2_MAGIC into its
 * field `initialized`. libxml2 2.9.14+dfsg-1.3~deb12u4 to u6 take that for SAX2 and call nothing.
 * A handler without any of SAX2's functions is handed on here with another mark. Where libxml2
 * does well this changes nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

#define SAX1 1u

/* struct _xmlSAXHandler of <libxml/parser.h>, whose layout has been the same since 2.6. */
typedef struct {
    void (*sax1[27])(void);
    unsigned int initialized;
    void *private_data;
    void (*start_element_ns)(void);
    void (*end_element_ns)(void);
    void (*structured_error)(void);
} Handler;

typedef int (*Parse)(Handler *, void *, const char *, int);

int xmlSAXUserParseMemory(Handler *handler, void *data, const char *text, int size)
{
    Parse next = (Parse)dlsym(RTLD_NEXT, "xmlSAXUserParseMemory");
    Handler own;

    if (handler == NULL || handler->start_element_ns || handler->end_element_ns)
        return next(handler, data, text, size);
    own = *handler;
    own.initialized = SAX1;
    return next(&own, data, text, size);
}

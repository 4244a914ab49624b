# only shows that the library can be loaded
. ./lib/text.sh && echo loaded
